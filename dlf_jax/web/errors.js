/** An error that the user can put right; the message is one line that says how. */
export class UserError extends Error {}
