// A real client: google-auth-library, under all Node client libraries and google-github-actions/auth.
//
//     node node_client.mjs NODE_MODULES CONFIGURATION
//
// Prints {"access_token": …}; an error of the library goes to stderr, with exit status 1.
// https://github.com/googleapis/google-auth-library-nodejs#executable-sourced-credentials

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [modules, configuration] = process.argv.slice(2);
const { ExternalAccountClient } = createRequire(`${modules}/`)('google-auth-library');

try {
  const client = ExternalAccountClient.fromJSON(JSON.parse(readFileSync(configuration, 'utf8')));
  client.scopes = ['https://www.googleapis.com/auth/cloud-platform'];
  const { token } = await client.getAccessToken();
  console.log(JSON.stringify({ access_token: token }));
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
}
