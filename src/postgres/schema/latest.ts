/** The number of the last migration: what this version of the package needs. Apart from their text, which is loaded where a schema is behind. */
export const latestMigration = 18

/** The migration that makes the counter table. */
export const firstWithCounters = 7
