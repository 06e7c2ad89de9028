/**
 * A line editor for a terminal at the end of a slow wire: it echoes, takes back, and gives whole lines. Pure. What it cannot use
 * (cursor keys, other control characters, octets that are no ASCII) it drops.
 */

/** Characters of a line; more are not taken, and the terminal's bell says so. */
export const LINE_LIMIT = 256;

export type Edit =
  | { readonly is: 'line'; readonly text: string }
  /** Ctrl-C: what runs should end, and the line is empty again. */
  | { readonly is: 'interrupt' }
  /** Ctrl-D on an empty line: log out. */
  | { readonly is: 'end' };

export class LineEditor {
  #line = '';
  #last = '';
  #escape: '' | 'esc' | 'csi' = '';
  #afterReturn = false;
  /** False while a secret is typed. */
  echo = true;

  /** Takes what was typed; gives what happened, and the characters to show. */
  feed(octets: Uint8Array): { readonly edits: Edit[]; readonly show: string } {
    const edits: Edit[] = [];
    let show = '';
    for (const octet of octets) {
      if (this.#escaped(octet)) continue;
      const wasReturn = this.#afterReturn;
      this.#afterReturn = octet === 13;
      if (octet === 13 || (octet === 10 && !wasReturn)) {
        show += '\r\n';
        if (this.echo && this.#line.trim() !== '') this.#last = this.#line;
        edits.push({ is: 'line', text: this.#line });
        this.#line = '';
      } else if (octet === 8 || octet === 127) {
        if (this.#line !== '' && this.echo) show += '\b \b';
        this.#line = this.#line.slice(0, -1);
      } else if (octet === 3) {
        show += '^C\r\n';
        this.#line = '';
        edits.push({ is: 'interrupt' });
      } else if (octet === 4 && this.#line === '') edits.push({ is: 'end' });
      else if (octet === 21) {
        if (this.echo) show += '\b \b'.repeat(this.#line.length);
        this.#line = '';
      } else if (octet === 16 && this.echo) {
        // Ctrl-P: the line before, as in most shells.
        show += '\b \b'.repeat(this.#line.length) + this.#last;
        this.#line = this.#last;
      } else if (octet === 27) this.#escape = 'esc';
      else if (octet >= 32 && octet < 127) {
        if (this.#line.length >= LINE_LIMIT) show += '\u0007';
        else {
          this.#line += String.fromCharCode(octet);
          if (this.echo) show += String.fromCharCode(octet);
        }
      }
    }
    return { edits, show };
  }

  reset(): void {
    this.#line = '';
    this.#escape = '';
    this.echo = true;
  }

  /** True for an octet that belongs to an escape sequence (ECMA-48 sections 5.3 and 5.4). */
  #escaped(octet: number): boolean {
    if (this.#escape === '') return false;
    if (this.#escape === 'esc') this.#escape = octet === 91 || octet === 79 ? 'csi' : '';
    else if (octet >= 64 && octet <= 126) this.#escape = '';
    return true;
  }
}
