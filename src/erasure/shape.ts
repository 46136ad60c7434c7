/** A code's shape: any `k` of `n` shares suffice; n - k is the number of parity shares, m. */
export interface Shape {
  readonly k: number;
  readonly n: number;
}
