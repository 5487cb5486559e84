/** Stands on each page that nobody should edit. */
export function generatedNote(from: string, command = 'npm run docs:pages'): string {
  return `_Generated from ${from} by \`${command}\`._`
}
