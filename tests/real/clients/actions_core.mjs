// Requests an ID token with @actions/core, the toolkit of GitHub Actions, as the reference.
//
//     node actions_core.mjs NODE_MODULES AUDIENCE
//
// Prints {"token": …} or {"error": …} as its last line; the commands of the toolkit for the runner precede it.
// https://github.com/actions/toolkit/tree/main/packages/core#oidc-token

import { pathToFileURL } from 'node:url';

const [modules, audience] = process.argv.slice(2);
const { getIDToken } = await import(pathToFileURL(`${modules}/@actions/core/lib/core.js`).href);

try {
  console.log(JSON.stringify({ token: await getIDToken(audience || undefined) }));
} catch (error) {
  console.log(JSON.stringify({ error: error.message }));
}
