/** Line icons of the portal, 24 units square, drawn for it. */
const paths = {
  overview: 'M4 4h6v9H4zM14 11h6v9h-6zM4 17h6v3H4zM14 4h6v3h-6z',
  homes: 'M4 11l8-7 8 7v9H4zM10 20v-6h4v6',
  sessions: 'M3 12h3l2-6 4 12 3-9 2 3h4',
  records: 'M6 3h12v18H6zM9 8h6M9 12h6M9 16h3',
  mail: 'M3 6h18v13H3zM3 7l9 7 9-7',
  apps: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 16.5h7M16.5 13v7',
  access: 'M8 15a4 4 0 1 1 3.5-6H21v4h-3v3h-4v-3h-2.5A4 4 0 0 1 8 15zM8 11h.01',
  alarms: 'M12 3a6 6 0 0 1 6 6v5l2 3H4l2-3V9a6 6 0 0 1 6-6zM10 20h4',
  gateways: 'M4 13h16v6H4zM8 16h.01M12 16h.01M12 13V9M8.5 7.5a5 5 0 0 1 7 0M6 5a8.5 8.5 0 0 1 12 0',
  updates: 'M12 4v11M7.5 10.5L12 15l4.5-4.5M4 19h16',
  workshop: 'M8 4l-5 8 5 8M16 4l5 8-5 8M14 5l-4 14',
  keys: 'M15 4a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM11.5 12.5L4 20M7 17l2 2M16 8h.01',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  servers: 'M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01',
  voice: 'M6 3h3l2 5-2.5 1.5a11 11 0 0 0 6 6L16 13l5 2v3a3 3 0 0 1-3 3A15 15 0 0 1 3 6a3 3 0 0 1 3-3z',
  media: 'M9 18V6l10-2v12M9 18a3 3 0 1 1-6 0 3 3 0 0 1 6 0zM19 16a3 3 0 1 1-6 0 3 3 0 0 1 6 0z',
  device: 'M4 5h16v11H4zM9 20h6M12 16v4',
  message: 'M4 5h16v12H9l-5 4z',
  still: 'M4 6h16v13H4zM4 16l5-5 4 4 3-3 4 4',
  qos: 'M7 20V8M4 11l3-3 3 3M17 4v12M14 13l3 3 3-3',
} as const;

export type IconName = keyof typeof paths;

/** Decoration: what it means stands in text beside it. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
