/** For tests. */
interface Scenario {
  readonly name: string;
  readonly title: string;
}
export function parseResults(text: string): Map<string, string>;
export function formatResults(
  scenarios: readonly Scenario[],
  sections: ReadonlyMap<string, string>,
): string;
