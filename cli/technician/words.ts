/** Their words, for the table of commands. */
export const technicianWords = [
  'status',
  'line status',
  'net status',
  'lan hosts',
  'lan wake',
  'serial list',
  'check',
  'check list',
  'why',
  'logs',
  'call list',
  'call trace',
  'bundle',
  'ota status',
  'ota history',
  'ota install',
  'ota stop',
] as const;

export type TechnicianWords = (typeof technicianWords)[number];
