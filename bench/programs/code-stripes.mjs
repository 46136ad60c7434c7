export { decodeBlocks, encodeBlocks } from "../../src/erasure/codec.ts";
