import type { LoadClient, Target } from '../client.js';
import { openWrapper } from './aws-wrapper.js';

/** With the plugins for failovers alone: the others refuse a host that is not RDS's. */
export function open(target: Target): LoadClient {
  return openWrapper(target, { plugins: 'failover,efm' });
}
