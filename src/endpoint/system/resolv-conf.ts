/** resolv.conf(5): how a name is completed before DNS is asked for it. Who is asked is c-ares' to read. */
export interface SearchRules {
  readonly domains: readonly string[];
  /** A name with at least so many dots is asked for as it is first, else last. */
  readonly ndots: number;
}

export interface SearchEnvironment {
  readonly hostname: string;
  /** Stand in for `search` and `options`. */
  readonly LOCALDOMAIN?: string | undefined;
  readonly RES_OPTIONS?: string | undefined;
}

const MOST_NDOTS = 15;

export function readSearchRules(text: string, environment: SearchEnvironment): SearchRules {
  const { hostname, LOCALDOMAIN, RES_OPTIONS } = environment;
  let domains: readonly string[] | undefined;
  let options = '';
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    // The last of either counts.
    if (keyword === 'search') domains = values;
    else if (keyword === 'domain') domains = values.slice(0, 1);
    else if (keyword === 'options') options += ` ${values.join(' ')}`;
  }
  const own = hostname.includes('.') ? [hostname.slice(hostname.indexOf('.') + 1)] : [];
  const given = LOCALDOMAIN === undefined ? (domains ?? own) : LOCALDOMAIN.split(/\s+/);
  const ndots = [...`${options} ${RES_OPTIONS ?? ''}`.matchAll(/(?:^|\s)ndots:(\d+)/g)].at(-1)?.[1];
  return {
    domains: given.map((domain) => domain.replace(/\.$/, '')).filter((domain, i) => domain !== '' || given[i] === '.'),
    ndots: Math.min(MOST_NDOTS, Number(ndots ?? 1)),
  };
}

/** The names that stand for this one, in the order in which the system asks for them; the first that has an address is it. */
export function formsOf(name: string, { domains, ndots }: SearchRules): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const completed = domains.map((domain) => (domain === '' ? name : `${name}.${domain}`));
  const dots = name.split('.').length - 1;
  const forms = dots >= ndots ? [name, ...completed] : [...completed, name];
  return [...new Set(forms)].filter((form) => form.length <= 253);
}
