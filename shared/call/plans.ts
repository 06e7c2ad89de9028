/** What digits mean in the country of the line that dialled them, and what kind of destination a number is. */
import type { DestinationClass } from '../protocol/verbs/line-features.ts';
import { PLANS, type Plan, WORLDWIDE } from './plan-table.ts';

export type { DestinationClass } from '../protocol/verbs/line-features.ts';
export type { Plan } from './plan-table.ts';

/** Country code of lines that have no number of their own, without plus sign. */
export const DEFAULT_COUNTRY = '1';

/** The plan whose country code an E.164 number with plus sign has; no two codes begin alike, so one at most. */
export function planOf(number: string | undefined): Plan | undefined {
  if (number === undefined || !number.startsWith('+')) return undefined;
  for (let length = 1; length <= 3; length++) {
    const plan = PLANS.get(number.slice(1, 1 + length));
    if (plan !== undefined) return plan;
  }
  return undefined;
}

/** Country code of the line with that number; the default where its country has no plan here. */
export function countryOf(number: string | undefined): string {
  return planOf(number)?.code ?? DEFAULT_COUNTRY;
}

/** E.164 with plus sign of digits dialled in that country; undefined where they are no full number. */
export function normalise(digits: string, country: string = DEFAULT_COUNTRY): string | undefined {
  if (digits.startsWith('+')) return e164(digits.slice(1));
  const plan = PLANS.get(country);
  if (plan === undefined || !isDigits(digits)) return undefined;
  for (const prefix of plan.abroad) if (digits.startsWith(prefix)) return e164(digits.slice(prefix.length));
  if (plan.trunk !== '' && digits.startsWith(plan.trunk)) {
    const national = nationalNumber(plan, digits.slice(plan.trunk.length));
    if (national !== undefined) return national;
  }
  return startsWithOne(digits, plan.bare ?? []) ? nationalNumber(plan, digits) : undefined;
}

function nationalNumber({ code, digits: [fewest, most] }: Plan, digits: string): string | undefined {
  return digits.length < fewest || digits.length > most ? undefined : e164(code + digits);
}

/** What kind of destination `number` (E.164) is for a line with the number `from`. */
export function destinationClass(number: string, from: string | undefined): DestinationClass {
  const plan = planOf(number);
  const home = PLANS.get(countryOf(from));
  const worldwide = plan === undefined ? WORLDWIDE.get(number.slice(1, 4)) : undefined;
  if (worldwide !== undefined) return worldwide;
  if (plan === undefined) return 'international';
  const national = number.slice(1 + plan.code.length);
  if (startsWithOne(national, plan.premium)) return 'premium';
  if (plan !== home || startsWithOne(national, plan.elsewhere ?? [])) return 'international';
  if (startsWithOne(national, plan.free)) return 'free';
  if (startsWithOne(national, plan.mobile)) return 'mobile';
  const area = plan.area ?? 0;
  const same =
    area > 0 &&
    from !== undefined &&
    from.slice(0, 1 + plan.code.length + area) === number.slice(0, 1 + plan.code.length + area);
  return same ? 'local' : 'national';
}

/** 5 to 15 digits, the first not zero (ITU-T E.164). */
function e164(digits: string): string | undefined {
  if (digits.length < 5 || digits.length > 15 || !isDigits(digits) || digits.startsWith('0')) return undefined;
  return `+${digits}`;
}

export function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 48 || c > 57) return false;
  }
  return text.length > 0;
}

function startsWithOne(digits: string, beginnings: readonly string[]): boolean {
  return beginnings.some((beginning) => digits.startsWith(beginning));
}
