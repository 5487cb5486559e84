/** The anchor of a heading as GitHub makes it; the site is told to make the same, so that a link is right in both. */
export function anchorOf(heading: string): string {
  return plainHeading(heading)
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replaceAll(' ', '-')
}

/** What is read of a heading: of a link its text, of code and emphasis what is in it. */
function plainHeading(heading: string): string {
  return heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<[^>]+>/g, '')
    .replace(/(\*\*|\*|`)/g, '')
    .trim()
}

/** All anchors of a text whose code has been blanked; the second heading of one name gets a number. */
export function anchorsOf(text: string, prose: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  const lines = text.split('\n')
  for (const [at, line] of prose.split('\n').entries()) {
    // Blanked: code in the heading is part of its name, so the name is read in the text as it is.
    const heading = /^#{1,6} +\S/.test(line) ? /^#{1,6} +(.*?)[ #]*$/.exec(lines[at] as string)?.[1] : undefined
    if (heading !== undefined) anchors.add(freeName(anchorOf(heading), anchors))
    for (const [, id] of line.matchAll(/<\w+[^>]*\s(?:id|name)="([^"]+)"/g)) anchors.add(id as string)
  }
  return anchors
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name
  for (let number = 1; taken.has(free); number += 1) free = `${name}-${number}`
  return free
}
