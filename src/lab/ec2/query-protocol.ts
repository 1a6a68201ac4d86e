/**
 * The wire format of the EC2 API, as the SDKs speak it: a form that is posted, XML that comes back.
 * Source: Amazon EC2 API reference, "Making API requests", and the serializer of @aws-sdk/client-ec2.
 */

const NAMESPACE: string = 'http://ec2.amazonaws.com/doc/2016-11-15/';

/** What an action returns. An array is a list of `<item>`; what is undefined is left out. */
export type Xml = string | number | boolean | readonly Xml[] | { readonly [name: string]: Xml | undefined };

/** One call: `Action=DescribeAddresses&PublicIp.1=…&Filter.1.Name=…&Filter.1.Value.1=…`. */
export class Query {
  readonly #params: URLSearchParams;

  constructor(body: string) {
    this.#params = new URLSearchParams(body);
  }

  get action(): string {
    return this.get('Action') ?? '';
  }

  /** Everything that was sent, for whoever reads the log. */
  get params(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#params].filter(([name]) => name !== 'Action' && name !== 'Version'));
  }

  get(name: string): string | undefined {
    return this.#params.get(name) ?? undefined;
  }

  flag(name: string, whenUnset: boolean): boolean {
    const value = this.get(name);
    return value === undefined ? whenUnset : value === 'true';
  }

  list(name: string): readonly string[] {
    const values: string[] = [];
    for (let index = 1; this.get(`${name}.${index}`) !== undefined; index++) values.push(this.get(`${name}.${index}`)!);
    return values;
  }

  /** `Tag.1.Key=…&Tag.1.Value=…`; a tag without a value has an empty one. */
  tags(): ReadonlyMap<string, string> {
    const tags = new Map<string, string>();
    for (let index = 1; this.get(`Tag.${index}.Key`) !== undefined; index++) {
      tags.set(this.get(`Tag.${index}.Key`)!, this.get(`Tag.${index}.Value`) ?? '');
    }
    return tags;
  }

  filters(): ReadonlyMap<string, readonly string[]> {
    const filters = new Map<string, readonly string[]>();
    for (let index = 1; this.get(`Filter.${index}.Name`) !== undefined; index++) {
      filters.set(this.get(`Filter.${index}.Name`)!, this.list(`Filter.${index}.Value`));
    }
    return filters;
  }
}

export function successBody(action: string, requestId: string, content: Xml): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${action}Response xmlns="${NAMESPACE}"><requestId>${requestId}</requestId>${inner(content)}</${action}Response>`;
}

export function errorBody(code: string, message: string, requestId: string): string {
  const error = inner({ Errors: { Error: { Code: code, Message: message } }, RequestID: requestId });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Response>${error}</Response>`;
}

function inner(value: Xml): string {
  if (Array.isArray(value)) return value.map((item: Xml) => `<item>${inner(item)}</item>`).join('');
  if (typeof value !== 'object') return escape(String(value));
  return Object.entries(value)
    .map(([name, child]) => (child === undefined ? '' : `<${name}>${inner(child)}</${name}>`))
    .join('');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
