/** For tests. */
type Size = number | string | readonly number[] | readonly string[];
type Scale = "quick" | "usual" | "full";
type Sizes = Readonly<Record<string, Readonly<Record<Scale, Size>>>>;
export function size<T extends Size>(quick: T, usual: T, full?: T): Readonly<Record<Scale, T>>;
export function chooseSizes(
  scenario: { readonly sizes: Sizes },
  scale: Scale,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, Size>>;
