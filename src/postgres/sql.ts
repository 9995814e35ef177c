/**
 * Writing SQL where parameters cannot be used. Pure.
 */

/** A string: standard_conforming_strings has been on since 9.1. */
export const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`
