import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { deviceOf, isInstance, readDevices, writeDevices } from './instance.ts';

const sum = (text: string) => createHash('sha256').update(text).digest('hex');
const device = (uri: string, instance?: string) =>
  deviceOf({ uri, params: new Map(instance === undefined ? [] : [['+sip.instance', instance]]) }, sum);

describe('which phone a binding is', () => {
  it('an instance stays the same wherever it is; another is another', () => {
    const one = device('sip:a@10.0.0.1:5060', '"<urn:uuid:1>"');
    expect(device('sip:a@10.0.0.2:40000;transport=tcp', '"<urn:uuid:1>"')).toBe(one);
    expect(device('sip:a@10.0.0.1:5060', '"<urn:uuid:2>"')).not.toBe(one);
    expect(isInstance(one)).toBe(true);
  });

  it('without one it is its contact, whatever parameters that has', () => {
    const one = device('sip:a@Host.example:5060');
    expect(device('sip:a@host.example:5060;ob')).toBe(one);
    expect(device('sip:a@host.example:5062')).not.toBe(one);
    expect(isInstance(one)).toBe(false);
  });

  it('a gateway’s list reads as it was written; what is no name is left out', () => {
    const names = [device('sip:a@x'), device('sip:b@x', 'i')];
    const [name = '', value = ''] = writeDevices(names).split('=');
    expect(readDevices(new Map([[name, value]]))).toEqual(names);
    expect(readDevices(new Map([[name, `"${names[0]},i_x,'; DROP,${names[0]}"`]]))).toEqual([names[0]]);
    expect(readDevices(new Map())).toEqual([]);
    const many = Array.from({ length: 12 }, (_, n) => device(`sip:${n}@x`));
    expect(readDevices(new Map([[name, `"${many.join(',')}"`]]))).toEqual(many.slice(0, 10));
  });
});
