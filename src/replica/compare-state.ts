/** What a comparison in another thread shall do now. */
export const RUNNING = 0;
/** Stop where it is, and wait. */
export const PAUSED = 1;
/** End all that it was given. */
export const ABANDONED = 2;
