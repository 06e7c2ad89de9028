import type { Reporter, TestCase } from 'vitest/node';

/**
 * Names every test that passed at its second attempt only, with why the first one failed. Only tests that live in real time beside
 * other programs have a second attempt (`vitest.config.ts`); what is named here is a fault of ours or of theirs to look into.
 */
export class Attempts implements Reporter {
  readonly #again: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky !== true) return;
    const why = test.result().errors?.map(({ message }) => message.slice(0, 2_000)) ?? [];
    this.#again.push(
      [`passed at the second attempt: ${test.module.relativeModuleId}: ${test.fullName}`, ...why].join('\n  '),
    );
  }

  onTestRunEnd(): void {
    for (const line of this.#again) console.log(line);
  }
}
