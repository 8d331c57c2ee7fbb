// A real client: google-auth-library with application default credentials, as every Node client library uses it.
//
//     node node_default.mjs NODE_MODULES URL [AUDIENCE]
//
// Requests to Google's own hosts are sent to URL, unless it is empty. Prints {"access_token": …}, or {"id_token": …} for an audience; an error
// of the library goes to stderr, with exit status 1.
// https://github.com/googleapis/google-auth-library-nodejs#application-default-credentials

import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';

const [modules, standin, audience] = process.argv.slice(2);
const { GoogleAuth } = createRequire(`${modules}/`)('google-auth-library');

const realRequest = https.request;
if (standin) https.request = (url, options, callback) => {
  const { hostname, pathname, search } = new URL(url);
  if (!hostname.endsWith('.googleapis.com')) return realRequest(url, options, callback);
  const { hostname: host, port } = new URL(standin);
  return http.request({ method: options.method, headers: { ...options.headers, host: `${host}:${port}` }, host, port, path: pathname + search }, callback);
};

try {
  const auth = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] });
  if (audience) {
    const client = await auth.getIdTokenClient(audience);
    console.log(JSON.stringify({ id_token: await client.idTokenProvider.fetchIdToken(audience) }));
  } else {
    console.log(JSON.stringify({ access_token: await auth.getAccessToken() }));
  }
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
}
