// A real client without any credential file: google-auth-library, which finds the metadata server of its environment.
//
//     node metadata_client.mjs NODE_MODULES access | identity AUDIENCE
//
// Prints {"access_token": …} or {"id_token": …}; an error goes to stderr as the library words it, exit status 1.
// https://github.com/googleapis/google-auth-library-nodejs#application-default-credentials

import { createRequire } from 'node:module';

const [modules, mode, audience] = process.argv.slice(2);
const { GoogleAuth } = createRequire(`${modules}/`)('google-auth-library');

try {
  const auth = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] });
  if (mode === 'identity') {
    const client = await auth.getIdTokenClient(audience);
    console.log(JSON.stringify({ id_token: await client.idTokenProvider.fetchIdToken(audience) }));
  } else {
    console.log(JSON.stringify({ access_token: await auth.getAccessToken() }));
  }
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
}
