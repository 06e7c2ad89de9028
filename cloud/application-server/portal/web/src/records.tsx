import { useState } from 'preact/hooks';
import { call } from './api.ts';
import { useLoad } from './hooks.ts';
import { partyName, useHouses } from './houses.ts';
import { lengthText, momentText, priceText, wordsText } from './text.ts';
import { Button, Card, Empty, Link, Page, TroubleNote } from './ui.tsx';

/** Call detail records: one per leg, unanswered ones too. */
export function RecordsPage() {
  const [after, setAfter] = useState<string | undefined>();
  const houses = useHouses();
  const records = useLoad(
    `records ${after ?? ''}`,
    () => call('cdr.list', { limit: 50, ...(after === undefined ? {} : { after }) }),
    5000,
  );
  return (
    <Page title="Records" lead="One record for every leg, answered or not.">
      <TroubleNote trouble={records.trouble} />
      <Card title="Newest first">
        {records.value?.items.length === 0 && <Empty>No records yet.</Empty>}
        {records.value !== undefined && records.value.items.length > 0 && (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reachable by the keyboard.
          <section class="scroll" tabIndex={0} aria-label="Records">
            <table>
              <thead>
                <tr>
                  <th>When</th>
                  <th>From</th>
                  <th>To</th>
                  <th class="figure">Length</th>
                  <th>How it ended</th>
                  <th class="figure">Price</th>
                  <th>
                    <span class="hidden">Session</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {records.value.items.map((record) => (
                  <tr key={record.id}>
                    <td>{momentText(record.start)}</td>
                    <td>{partyName(record.from, houses.value)}</td>
                    <td>{partyName(record.to, houses.value)}</td>
                    <td class="figure">{record.answer === undefined ? 'not answered' : lengthText(record.seconds)}</td>
                    <td>{wordsText(record.reason)}</td>
                    <td class="figure">{priceText(record.price)}</td>
                    <td>
                      <Link to={`/sessions/${record.session}`}>Session</Link>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
        <div class="row">
          {after !== undefined && (
            <Button kind="small" onClick={() => setAfter(undefined)}>
              First page
            </Button>
          )}
          {records.value?.next !== undefined && (
            <Button kind="small" onClick={() => setAfter(records.value?.next)}>
              Next page
            </Button>
          )}
        </div>
      </Card>
    </Page>
  );
}
