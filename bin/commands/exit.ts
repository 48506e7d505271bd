/** What every command exits with. */
export const EXIT = { held: 0, violated: 1, badInput: 2 } as const;
