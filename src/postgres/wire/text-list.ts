import { randomUUID } from 'node:crypto'

/** Texts as one, for `string_to_array(text, separator)`. */
export interface TextList {
  readonly text: string
  readonly separator: string
}

/** Control characters, which JSON never holds as they are; other texts seldom do. */
const usualSeparators = ['\x1e', '\x1f', '\x1d']

/**
 * Large texts travel so: an array literal has to be escaped here and read twice, character by character, there.
 * @param texts two or more (`string_to_array` makes an empty array of an empty text)
 */
export function joinTexts(texts: readonly string[]): TextList {
  const separator = usualSeparators.find((one) => !texts.some((text) => text.includes(one))) ?? unusedSeparator(texts)
  return { text: texts.join(separator), separator }
}

function unusedSeparator(texts: readonly string[]): string {
  // Its ends differ from each other and from what is between: it cannot be found across a seam.
  const separator = `\x1e${randomUUID()}\x1f`
  return texts.some((text) => text.includes(separator)) ? unusedSeparator(texts) : separator
}
