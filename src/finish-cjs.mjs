// What tsc does not write of the CommonJS build: that it is one, and for each driver what `require` gives, which is
// what Node gives where it loads the ES module (its export 'module.exports').
import { writeFileSync } from 'node:fs';

const dist = new URL('../dist/cjs/', import.meta.url);
writeFileSync(new URL('package.json', dist), JSON.stringify({ type: 'commonjs' }));
for (const [folder, entry] of [
  ['pg', 'index'],
  ['mysql2', 'index'],
  ['mysql2', 'promise'],
  ['generic-pool', 'index'],
]) {
  // Said twice, so that who only reads the file sees both ways to import it.
  const text = `module.exports = require('./${entry}.js')['module.exports'];\nmodule.exports.default = module.exports;\n`;
  writeFileSync(new URL(`${folder}/${entry}.required.js`, dist), text);
}
