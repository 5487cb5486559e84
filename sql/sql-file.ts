/** What an import of a .sql file gives: the build carries the text, nothing is read from disk at run time. */
export interface SqlFile {
  /** The file's name without `.sql`. */
  readonly name: string
  readonly text: string
}
