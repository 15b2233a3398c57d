/** What is wrong with a scenario that others have written. */

/** A mistake in a scenario; the message names the field, what was expected and what was there. */
export class ScenarioError extends Error {
  override readonly name: string = 'ScenarioError';
}
