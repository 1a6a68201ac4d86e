import { boolean, integer, invalidOption, millis, type Reader, readOptions } from '../../options.js';
import type { NameChange } from './cloud.js';

/** EC2 in the lab. All durations are milliseconds. */
export interface LabEc2Options {
  /**
   * Whether the Elastic IP of `publicName` is there at the start, associated with the first host. `false`: the account is
   * empty, the name does not exist, and the first allocation gets its address.
   * @defaultValue true
   */
  readonly allocated?: boolean | undefined;
  /**
   * How late `DescribeAddresses` shows what was done: the API is eventually consistent.
   * @defaultValue 0
   */
  readonly apiDelayMillis?: number | undefined;
  /**
   * How late DNS follows an association that came through the API.
   * @defaultValue 0
   */
  readonly dnsDelayMillis?: number | undefined;
  /**
   * How many Elastic IPs the account may have.
   * @defaultValue 5
   */
  readonly addressLimit?: number | undefined;
  /**
   * Told of every name that has another answer, when the lab's own DNS has it: the hook for a name server of yours.
   * @defaultValue none
   */
  readonly onName?: ((change: NameChange & { readonly name: string }) => void) | undefined;
}

export interface LabEc2Settings {
  readonly allocated: boolean;
  readonly apiDelayMillis: number;
  readonly dnsDelayMillis: number;
  readonly addressLimit: number;
  readonly onName: ((change: NameChange & { readonly name: string }) => void) | undefined;
}

const MAX_ADDRESSES: number = 100;

/** `true` is all defaults; null is a lab without EC2. */
export const readEc2: Reader<LabEc2Settings | null> = (value, name) => {
  if (value === undefined || value === false) return null;
  return readOptions<LabEc2Settings>(
    {
      allocated: boolean(true),
      apiDelayMillis: millis(0, 0),
      dnsDelayMillis: millis(0, 0),
      addressLimit: integer(5, 1, MAX_ADDRESSES),
      onName: readListener,
    },
    value === true ? undefined : value,
    name,
  );
};

const readListener: Reader<LabEc2Settings['onName']> = (value, name) => {
  if (value === undefined || typeof value === 'function') return value as LabEc2Settings['onName'];
  throw invalidOption(name, 'a function', value);
};
