// The reference: @actions/core, the toolkit of GitHub Actions, asks for an id token.
//
//     node actions_core.mjs NODE_MODULES AUDIENCE
//
// Prints {"token": …} or {"error": …} as its last line; the toolkit's own commands for the runner stand before it.
// https://github.com/actions/toolkit/tree/main/packages/core#oidc-token

import { pathToFileURL } from 'node:url';

const [modules, audience] = process.argv.slice(2);
const { getIDToken } = await import(pathToFileURL(`${modules}/@actions/core/lib/core.js`).href);

try {
  console.log(JSON.stringify({ token: await getIDToken(audience || undefined) }));
} catch (error) {
  console.log(JSON.stringify({ error: error.message }));
}
