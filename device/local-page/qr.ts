/** QR symbols (ISO/IEC 18004), with their four modules of quiet zone: as SVG for a page, as text for a console. Pure. */
import QRCode from 'qrcode';

const QUIET = 4;

/** As SVG: one path, dark modules as runs. `text` in error correction level M; scales with its box. */
export function qrSvg(text: string, label: string): string {
  const { modules } = QRCode.create(text, { errorCorrectionLevel: 'M' });
  const { size } = modules;
  let path = '';
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let run = 0;
      while (x + run < size && modules.get(y, x + run) === 1) run++;
      if (run > 0) path += `M${x + QUIET} ${y + QUIET}h${run}v1h-${run}z`;
      x += run;
    }
  }
  const whole = size + 2 * QUIET;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${whole} ${whole}" role="img" aria-label="${label}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${whole}v${whole}H0z"/><path fill="#000" d="${path}"/></svg>`;
}

/** As lines of text for a dark console: each character is two modules, light ones drawn. Level L, since a console has few lines. */
export function qrText(text: string): string {
  const { modules } = QRCode.create(text, { errorCorrectionLevel: 'L' });
  const { size } = modules;
  const inside = (at: number) => at >= 0 && at < size;
  const isLight = (x: number, y: number) => !(inside(x) && inside(y) && modules.get(y, x) === 1);
  const lines: string[] = [];
  for (let y = -QUIET; y < size + QUIET; y += 2) {
    let line = '';
    for (let x = -QUIET; x < size + QUIET; x++) {
      const below = y + 1 < size + QUIET && isLight(x, y + 1);
      line += isLight(x, y) ? (below ? '█' : '▀') : below ? '▄' : ' ';
    }
    lines.push(line);
  }
  return lines.join('\n');
}
