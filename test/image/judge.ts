/**
 * Judges disks as power cuts would have left them, and boots some, one after another: a part of a life at a time, while that life may
 * go on. Every disk must have a slot that starts, and a data partition that can be used.
 */
import { expect } from 'vitest';
import type { SlotName } from '#images/raspberry-pi/boot/layout.ts';
import { bootSteps } from '#images/raspberry-pi/boot/model.ts';
import { isLong } from '../peers.ts';
import { dataFault } from './data-check.ts';
import { CLOCK, DISK_BYTES, type House } from './house.ts';
import type { TestImage } from './image.ts';
import { Machine, overlay } from './machine.ts';
import { type CutDisk, cuts, wholeDisk } from './power-cut.ts';
import { diskState, slotFault } from './slot-check.ts';
import { readLog } from './write-log.ts';

/** What is judged: so many points of the log's entries from `from` to `until`, `boots` of them booted. */
export interface Part {
  readonly from: number;
  readonly until: number;
  readonly points: number;
  readonly boots: number;
}

export class Judge {
  readonly #house: House;
  readonly #image: TestImage;
  readonly #random: () => number;
  #machine: Machine | undefined;
  #over = false;
  /** The boots so far: the first of them, or each in the long suite, to its agent. */
  readonly booted: Promise<void>[] = [];
  /** Disks judged so far. */
  judged = 0;

  constructor(house: House, image: TestImage, random: () => number) {
    this.#house = house;
    this.#image = image;
    this.#random = random;
  }

  /** Writes of the gateway so far. */
  get entries(): number {
    return readLog(this.#house.at('writes.log')).length;
  }

  async part(part: Part): Promise<void> {
    const house = this.#house;
    const folder = house.at(`cuts-${part.from}`);
    const faults = new Map<string, string | undefined>();
    const before = this.booted.length;
    let number = 0;
    for (const cut of cuts(house.at('base.img'), house.at('writes.log'), folder, part, this.#random)) {
      if (this.#over) return;
      number += 1;
      this.#judge(cut, `cut ${number} after ${cut.entries} writes, ${cut.kept} loose ones kept`, faults);
      this.judged += 1;
      const due = this.booted.length - before + 1;
      if (due <= part.boots && number >= (part.points / (part.boots + 1)) * due) this.#plan(cut, folder);
      // The machines that run meanwhile are heard.
      await new Promise((resume) => setTimeout(resume));
    }
  }

  #judge(cut: CutDisk, where: string, faults: Map<string, string | undefined>): void {
    const health = (slot: SlotName) => {
      const key = `${slot} ${cut.touched[slot]}`;
      if (!faults.has(key)) faults.set(key, slotFault(cut.front, slot));
      return faults.get(key) === undefined ? 'starts' : 'damaged';
    };
    const found = diskState(cut.front);
    if (found === undefined) throw new Error(`no slot state: ${where}`);
    expect(bootSteps(found, { A: health('A'), B: health('B') }).at(-1)?.do, where).toBe('start');
    expect(dataFault(cut.data, this.#house.at('data-check.img')), where).toBeUndefined();
  }

  #plan(cut: CutDisk, folder: string): void {
    const index = this.booted.length;
    wholeDisk(cut, folder, this.#house.at(`cut-${index}.img`));
    const boot = this.#boot(index);
    boot.catch(() => undefined);
    this.booted.push(boot);
  }

  async #boot(index: number): Promise<void> {
    await this.booted[index - 1]?.catch(() => undefined);
    if (this.#over) throw new Error('the test has ended');
    const machine = await Machine.start({
      ...{ folder: this.#house.at('.'), uboot: this.#image.uboot.qemu, clock: CLOCK, processors: 1 },
      disk: overlay(this.#house.at(`cut-${index}.img`), this.#house.at(`cut-${index}.qcow2`), DISK_BYTES),
    });
    this.#machine = machine;
    try {
      await machine.line(/root and data are ready/, 600_000);
      if (index === 0 || isLong) await machine.line(/stage \d of 9/, 900_000);
    } finally {
      await machine.cut();
    }
  }

  /** Nothing more is judged or booted. */
  async end(): Promise<void> {
    this.#over = true;
    await this.#machine?.cut();
  }
}
