/** The identity of a backup set in duplicity's terms: type and times (duplicity-format 1.7). */
export type SetId =
  | { readonly kind: "full"; readonly time: number }
  | { readonly kind: "increment"; readonly from: number; readonly time: number };
