export { Reader } from "./reader";
export { Writer, type Init } from "./writer";

/** No bytes. */
export const EMPTY: Buffer = Buffer.alloc(0);
