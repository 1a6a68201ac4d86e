import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Says of every skipped test why it is, of every failed one how, and ends with the totals alone on a line. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const skipped = new Map<string, number>();
    const failed: string[] = [];
    for (const module of modules) {
      if (module.state() === 'failed' && module.children.size === 0) {
        counts.failed++;
        failed.push(failure(module.relativeModuleId, module.errors()));
      }
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        counts[state === 'pending' ? 'skipped' : state]++;
        if (state === 'failed') failed.push(failure(`${module.relativeModuleId}: ${test.fullName}`, errors));
        if (state === 'passed' || state === 'failed') continue;
        const what = `${module.relativeModuleId}: ${skippedAs(test)}`;
        skipped.set(what, (skipped.get(what) ?? 0) + 1);
      }
    }
    const lines = [...skipped].map(([what, times]) => `  ${what}${times > 1 ? ` (${times} tests)` : ''}\n`);
    if (lines.length > 0) process.stdout.write(`\nSkipped:\n${lines.join('')}`);
    if (failed.length > 0) process.stdout.write(`\nFailed:\n${failed.join('')}`);
    process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  }
}

/** A test that is skipped with its whole suite goes by the name of that suite, which tells the reason for all. */
function skippedAs(test: TestCase): string {
  for (let suite = test.parent; suite.type === 'suite'; suite = suite.parent) {
    if (/\(skipped/.test(suite.name)) return suite.fullName;
  }
  return test.fullName;
}

/** The first lines alone: what a server or a campaign printed may be long, and stands above. */
function failure(what: string, errors: readonly { readonly message: string }[] | undefined): string {
  const said = (errors ?? []).flatMap(({ message }) => message.split('\n').filter((line) => line.trim() !== ''));
  return `  ${[what, ...said.slice(0, 6).map((line) => `  ${line.slice(0, 200)}`)].join('\n  ')}\n`;
}
