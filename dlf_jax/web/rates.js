/** Rates: the rate points of a model, and the steps between them (docs/format.md#header). */

/** Steps from one rate point to the next. */
export const STEPS = 32;
