/** The complete tiny repository of duplicity-format 12, as duplicity 0.8.22 wrote it. */
import { gunzipSync } from "node:zlib";

const unwrap = (base64: string) => Uint8Array.from(gunzipSync(Buffer.from(base64, "base64")));

export const FULL_VOLUME = unwrap(
  "H4sIACHxAGsA/yvOSywozsgv0dfTZ6AVMAACc1NTMA0E6DSYbWhsbmRuYggRNzQ0MzBiUDClmYuQQGlxSWIR0ClF+fkl+NQRkh+ioBgW/ymDK/7NDUbjnx4AHv9ptLMDFKlmJiZ44t8MI/4NDRkUDGjnJAQY4fGfkZqTk8810K4YBQMF4Pk/h3Z2gMt/c3NSyn9zUPlvRMMyCQ5GeP4HANV/XPUACgAA",
);

export const FULL_SIGNATURES = unwrap(
  "H4sIACHxAGsA/+3UbwqCMBgG8Cl9iM7Qh26g0833Cl1D+g+hsU3wVB2iE/Sx4zSNLIqKghnl8/uyMYW98Oijs3Sjl7kJmDuhRVLWq3W71nseU0SCn845F0KykXQ4U6PQJlV2FJXn5tl7r57/KH3Of+ruC/gg/4RC5N8GvVpkqSnULJg7u6MKNRHicf7xXf4kbf6hs4mudDx/pb2EMb/a9gd7/zAZD8ttb+d9ey5oR9P/a3d31P1P9E7/U9X/kbtKuuj4/w8AAAAAAAAAAAAAAAAAAP/hCL956SQAKAAA",
);

export const INCREMENT_VOLUME = unwrap(
  "H4sIACTxAGsA/+2V0QrCIBSGR5fRQ/gE6VnqeZ6BrgWSoUZ7/GywaIu1K13RvptzUOH88PN7/Lm6+MYGuqdFKlgEhehqZFy7Hg5YIgdAEc8BJGBBRDJFL1x9qFyU4qwNn97N3f8oShsdtKIq4YwJ3wf+D3vkCAVhCTU96f3PMesLUae6pnXaGQ9TJefT/pflKP9Mosjs/5/m3/mN3DXaGEtu1hm1XVrQSlZ8v/+P6WbM5p/B2/6PX8Ka/wy0SwtYWZQ7N4E2nQAMAAA=",
);

export const INCREMENT_SIGNATURES = unwrap(
  "H4sIACTxAGsA/+3TPQrCMBgG4FQQBGf3bo5tND/ncHQsNP6AWGnSS3iBTl7CRVdvIV5C8AS2gv+oKKRVfJ8lIS18H7y8ehxM9CAyHrHHz0jOD2fm9jzcaVu2JKNU8uydUiZaxOUWdzpJtAnibJU4isyz/159/1GhGimjQi+0OONB7lf5X98lk5S4vsWdTo75FzHrC+lhfxyYJFZez9qMPFTB2OP823f9l4IXnP+f9j/WjiCkkl9rzXV1k/am893MaZS9FxTj3P++tRkf9V+g/0W47D9JSdpZssVqW++WvRcAAAAAAAAAAAAAAAAAALxnD3oPahYAKAAA",
);
