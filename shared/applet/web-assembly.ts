/** The part of WebAssembly that the sandbox uses, typed here since the library of the browser is none of ours. */
interface Memory {
  readonly buffer: ArrayBuffer;
}
export interface Instance {
  readonly exports: Readonly<Record<string, unknown>>;
}
interface Api {
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => Memory;
  readonly Module: new (octets: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => Instance;
}

export const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: Api };
