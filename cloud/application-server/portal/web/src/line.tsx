/** One phone line: what it does with its calls. */
import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { lineName } from './houses.ts';
import { contactsText, type Features, featuresOf, listText, shortText } from './line-form.ts';
import { Button, Card, Empty, Field, Link, Page, TroubleNote } from './ui.tsx';

export function LinePage({ home, id }: { home: string; id: string }) {
  const lines = useLoad(`lines ${home}`, () => call('line.list', { home }));
  const features = useLoad(`features ${id}`, () => call('line.features.get', { home, line: id }));
  const line = lines.value?.items.find((one) => one.id === id);
  return (
    <Page
      title={line === undefined ? 'Phone' : lineName(line)}
      lead={
        <>
          {line?.number} · <Link to={`/homes/${encodeURIComponent(home)}`}>Its home</Link>
        </>
      }
    >
      <TroubleNote trouble={lines.trouble ?? features.trouble} />
      {features.value === undefined ? <Empty>Looking…</Empty> : <LineForm home={home} id={id} was={features.value} />}
    </Page>
  );
}

function LineForm({ home, id, was }: { home: string; id: string; was: VerbReply<'line.features.get'> }) {
  const action = useAction();
  const [saved, setSaved] = useState(false);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    const features = featuresOf(new FormData(event.currentTarget as HTMLFormElement));
    setSaved((await action.run(() => call('line.features.set', { home, line: id, features }))) !== undefined);
  };
  return (
    <form onSubmit={save} onInput={() => setSaved(false)}>
      <div class="columns even">
        <Incoming was={was} />
        <Elsewhere was={was} />
        <Outgoing was={was} />
        <Known was={was} />
      </div>
      <div class="row">
        <Button kind="main" type="submit" busy={action.busy}>
          Save
        </Button>
        <span role="status">{saved && 'Saved; it holds from the next call on.'}</span>
      </div>
      <TroubleNote trouble={action.trouble} />
    </form>
  );
}

interface Was {
  readonly was: Features;
}

function Incoming({ was }: Was) {
  return (
    <Card title="Calls that come in">
      <div class="checks">
        <Tick name="doNotDisturb" on={was.doNotDisturb} label="Do not disturb" code="*26#" />
        <Tick name="rejectAnonymous" on={was.rejectAnonymous} label="Turn away callers without a number" code="*30#" />
        <Tick name="noWaiting" on={was.noWaiting} label="No second call while one lasts" code="#43#" />
        <Tick
          name="noHoldMusic"
          on={was.noHoldMusic}
          label="Silence, and no music, for whom I put on hold"
          code="#46#"
        />
      </div>
      <Area
        name="block"
        value={listText(was.block)}
        label="Never let through"
        hint="Full numbers, one per line; *60*number#, off #60*number#"
      />
      <Area
        name="allow"
        value={listText(was.allow)}
        label="Let only these through"
        hint="Empty lets everybody through; *68*number#, off #68*number#"
      />
    </Card>
  );
}

function Elsewhere({ was }: Was) {
  const { forward = {} } = was;
  return (
    <Card title="Send calls elsewhere">
      <Text name="always" value={forward.always} label="Always to" hint="*21*number#, off with #21#" />
      <Text name="busy" value={forward.busy} label="When busy to" hint="*67*number#" />
      <Text name="noAnswer" value={forward.noAnswer} label="When nobody answers to" hint="*61*number#" />
      <Count
        name="noAnswerAfter"
        value={was.noAnswerAfter}
        range={[5, 60]}
        label="Seconds until then"
        hint="20 unless you say; *61*number*seconds#"
      />
      <Text name="offline" value={forward.offline} label="While no phone is on to" hint="*62*number#" />
      <Area
        name="ringAlso"
        value={listText(was.ringAlso)}
        label="Ring these too"
        hint="Who answers first has the call; *64*number#, off #64*number#"
      />
      <Area
        name="hunt"
        value={listText(was.hunt)}
        label="Then try, one after the other"
        hint="Numbers, one per line; *65*number#"
      />
    </Card>
  );
}

function Outgoing({ was }: Was) {
  const bars = [
    ['premium', 'Dear numbers'],
    ['international', 'Abroad'],
    ['mobile', 'Mobiles'],
    ['national', 'In the country'],
    ['local', 'Nearby'],
    ['free', 'Free numbers'],
  ] as const;
  return (
    <Card title="Calls that go out">
      <div class="checks">
        <Tick name="hideNumber" on={was.hideNumber} label="Withhold my number" code="*31#; once: #31#number" />
      </div>
      <fieldset class="checks">
        <legend>This phone may not call</legend>
        {bars.map(([name, label]) => (
          <Tick key={name} name={`bar.${name}`} on={was.bar?.includes(name)} label={label} />
        ))}
      </fieldset>
      <Text
        name="pin"
        value={was.pin}
        label="PIN past the bar"
        hint="4 to 8 digits; *33*PIN*number, *34*PIN*classes# bars, #34*PIN# lifts, *35*PIN*new*new# changes it"
        pattern="[0-9]{4,8}"
      />
      <Text
        name="hotLine"
        value={was.hotLine}
        label="Hot line"
        hint="Whatever is dialled, this is called; help always works. *52*number#, off #52#"
      />
      <Count
        name="hotLineAfter"
        value={was.hotLineAfter}
        range={[1, 4]}
        label="Seconds to dial before"
        hint="A warm line, *53*number#: called where nothing is dialled"
      />
      <Area
        name="short"
        value={shortText(was.short)}
        label="Short dialling"
        hint="One or two digits, and the number: 7, +15550100123. *51*7*number#"
      />
      <p class="muted">
        *66 dials the last number again, *69 calls the last caller back, *8 takes a call that rings elsewhere in the
        home, *7 brings your two calls together. Transfer a call to *5 to park it; *5 from any phone of the home fetches
        it.
      </p>
    </Card>
  );
}

function Known({ was }: Was) {
  return (
    <Card title="People I know">
      <Area
        name="contacts"
        value={contactsText(was.contacts)}
        label="Callers"
        hint="Number, name, and family or friend for a ring of its own: +15550100123, Grandmother, family. *45*number*name#, *44*number*ring#"
      />
    </Card>
  );
}

function Tick({ name, on, label, code }: { name: string; on: boolean | undefined; label: string; code?: string }) {
  return (
    <label>
      <input type="checkbox" name={name} defaultChecked={on === true} /> {label}{' '}
      {code !== undefined && <code class="muted">{code}</code>}
    </label>
  );
}

interface Words {
  readonly name: string;
  readonly value: string | undefined;
  readonly label: string;
  readonly hint: string;
}

function Text({ name, value, label, hint, pattern }: Words & { pattern?: string }) {
  return (
    <Field label={label} hint={hint}>
      {(key, about) => (
        <input
          id={key}
          aria-describedby={about}
          name={name}
          defaultValue={value ?? ''}
          maxLength={64}
          pattern={pattern}
        />
      )}
    </Field>
  );
}

function Count({
  name,
  value,
  range: [min, max],
  ...said
}: {
  name: string;
  value: number | undefined;
  range: readonly [number, number];
  label: string;
  hint: string;
}) {
  return (
    <Field {...said}>
      {(key, about) => (
        <input id={key} aria-describedby={about} name={name} type="number" min={min} max={max} value={value ?? ''} />
      )}
    </Field>
  );
}

function Area({ name, value, label, hint }: Words) {
  return (
    <Field label={label} hint={hint}>
      {(key, about) => <textarea id={key} aria-describedby={about} name={name} rows={3} defaultValue={value ?? ''} />}
    </Field>
  );
}
