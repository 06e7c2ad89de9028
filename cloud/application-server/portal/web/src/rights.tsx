import type { VerbReply } from '#shared/protocol/verbs/index.ts';

/** What an application may do, in the plain words of its manifest’s rights. */
export function RightsList({ rights }: { rights: VerbReply<'catalogue.list'>['items'][number]['rights'] }) {
  if (rights.length === 0) return <p>Nothing beyond itself.</p>;
  return (
    <ul class="rights">
      {rights.map((right) => (
        <li key={right.key}>{right.words}</li>
      ))}
    </ul>
  );
}
