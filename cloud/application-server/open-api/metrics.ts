/** Figures as Prometheus text (exposition format 0.0.4). Pure. */

interface Counter {
  readonly labels: string;
  count: number;
  milliseconds: number;
}

/** One gauge or counter with its samples. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly samples: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
}

/** HTTP requests by verb and outcome: both come from our tables, so strangers cannot grow the set. */
export class RequestCounts {
  readonly #counters = new Map<string, Counter>();

  add(verb: string, outcome: string, milliseconds: number): void {
    const labels = labelText({ verb, outcome });
    const counter = this.#counters.get(labels) ?? { labels, count: 0, milliseconds: 0 };
    counter.count++;
    counter.milliseconds += milliseconds;
    this.#counters.set(labels, counter);
  }

  text(): string {
    const counters = [...this.#counters.values()];
    const seconds = counters.map((c) => `hearthline_http_seconds_total${c.labels} ${c.milliseconds / 1000}`);
    return [
      '# HELP hearthline_http_requests_total HTTP requests by verb and outcome.',
      '# TYPE hearthline_http_requests_total counter',
      ...counters.map((c) => `hearthline_http_requests_total${c.labels} ${c.count}`),
      '# HELP hearthline_http_seconds_total Seconds that these requests took together.',
      '# TYPE hearthline_http_seconds_total counter',
      ...seconds,
      '',
    ].join('\n');
  }
}

/** A metric as text. */
export function metricText(metric: Metric): string {
  const lines = metric.samples.map(({ labels, value }) => `${metric.name}${labels ? labelText(labels) : ''} ${value}`);
  return [`# HELP ${metric.name} ${metric.help}`, `# TYPE ${metric.name} ${metric.type}`, ...lines, ''].join('\n');
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const quoted = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${quoted(value)}"`)
    .join(',')}}`;
}
