/** Reads which shared libraries a program asks for (ELF, 64 bits, little-endian; System V ABI, chapter 5). */

const [PT_LOAD, PT_DYNAMIC, DT_NEEDED, DT_STRTAB, EM_AARCH64] = [1, 2, 1, 5, 183];

/** The libraries that a file of the arm64 architecture needs; undefined where it is no such file. */
export function neededLibraries(file: Uint8Array): string[] | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64 || view.getUint32(0) !== 0x7f454c46 || file[4] !== 2 || view.getUint16(18, true) !== EM_AARCH64)
    return undefined;
  const big = (at: number) => Number(view.getBigUint64(at, true));
  const headers = Array.from(
    { length: view.getUint16(56, true) },
    (_, i) => big(32) + i * view.getUint16(54, true),
  ).map((at) => ({ type: view.getUint32(at, true), offset: big(at + 8), address: big(at + 16), size: big(at + 32) }));
  const dynamic = headers.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return [];
  const entries: { tag: number; value: number }[] = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16)
    entries.push({ tag: big(at), value: big(at + 8) });
  const table = entries.find(({ tag }) => tag === DT_STRTAB)?.value ?? 0;
  const load = headers.find(
    ({ type, address, size }) => type === PT_LOAD && table >= address && table < address + size,
  );
  if (load === undefined) return [];
  const strings = table - load.address + load.offset;
  return entries.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => text(file, strings + value));
}

function text(file: Uint8Array, at: number): string {
  return new TextDecoder().decode(file.subarray(at, file.indexOf(0, at)));
}
