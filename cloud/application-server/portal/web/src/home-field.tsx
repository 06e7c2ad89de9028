import type { House } from './houses.ts';
import { Field } from './ui.tsx';

interface Props {
  readonly label: string;
  readonly houses: readonly House[] | undefined;
  /** The chosen home and what to do when another is chosen; absent: a field `home` of the form around it. */
  readonly value?: string | undefined;
  readonly choose?: (home: string) => void;
}

/** Chooses one of the homes. */
export function HomeField({ label, houses, value, choose }: Props) {
  const steered = choose && {
    value,
    onChange: (event: { currentTarget: HTMLSelectElement }) => choose(event.currentTarget.value),
  };
  return (
    <Field label={label}>
      {(id) => (
        <select id={id} name="home" {...steered}>
          {houses?.map(({ home }) => (
            <option key={home.id} value={home.id}>
              {home.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
