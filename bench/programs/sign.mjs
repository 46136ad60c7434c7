export { ConfinedTree } from "../../src/disk/confined.ts";
export { FileSigner } from "../../src/disk/sign-file.ts";
