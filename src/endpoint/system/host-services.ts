/** nsswitch.conf(5): what the system asks for a host's address, in order. */
export interface HostService {
  readonly name: string;
  /** Nothing is asked after it where it does not know the name. */
  readonly isLast: boolean;
}

/** What glibc does without that file or that line, and what musl does always. */
const DEFAULT: readonly HostService[] = [
  { name: 'files', isLast: false },
  { name: 'dns', isLast: false },
];

export function readHostServices(text: string): readonly HostService[] {
  const line = text.split('\n').find((each) => /^\s*hosts:/.test(each));
  if (line === undefined) return DEFAULT;
  const [, list = ''] = line.replace(/#.*/, '').split(/hosts:/);
  const services: HostService[] = [];
  for (const [token] of list.matchAll(/\[[^\]]*\]|[^\s[]+/g)) {
    const last = services.at(-1);
    if (!token.startsWith('[')) services.push({ name: token, isLast: false });
    else if (last !== undefined && /(?:^|[[\s])NOTFOUND=return/i.test(token))
      services[services.length - 1] = { ...last, isLast: true };
  }
  return services.length === 0 ? DEFAULT : services;
}
