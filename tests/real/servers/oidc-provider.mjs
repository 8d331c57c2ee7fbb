// A real OpenID issuer: npm oidc-provider, certified by the OpenID Foundation, on 127.0.0.1 and a port of its own.
//
//     node oidc-provider.mjs NODE_MODULES SETTINGS.json
//
// SETTINGS: {"clients": […RFC 7591 metadata…], "tls": {"key","certificate","ca"} paths, or no "tls", "alias": true|false}.
// Any resource indicator (RFC 8707) becomes the `aud` of a JWT access token (RFC 9068), RS256, or ES256 when it ends
// in "?es256"; one that begins https://opaque. gives an opaque token. With "tls" the issuer is https and asks for a
// client certificate in the handshake (RFC 8705); with "alias" only a second port does, announced as mtls_endpoint_aliases.
// stdout: first {"issuer": …}, then one line for each token request: how the client authenticated, and the outcome.

import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, settingsPath] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(createRequire(`${modules}/`).resolve(name)).href);
const { Provider } = await load('oidc-provider');
const { exportJWK, generateKeyPair } = await load('jose');

const settings = JSON.parse(readFileSync(settingsPath, 'utf8'));
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `issuer-${alg}` };
}

const resourceServer = (_ctx, resource) => ({
  audience: resource,
  scope: 'deploy read',
  accessTokenTTL: 3600,
  accessTokenFormat: resource.startsWith('https://opaque.') ? 'opaque' : 'jwt',
  jwt: { sign: { alg: resource.endsWith('?es256') ? 'ES256' : 'RS256' } },
});

// What the handshake proved, for RFC 8705; ctx.socket is the TLS socket itself, no proxy stands in between.
function peerCertificate(ctx) {
  const raw = ctx.socket.getPeerCertificate?.().raw;
  return raw && new X509Certificate(raw);
}

const configuration = {
  clients: settings.clients,
  jwks: { keys: [await signingKey('RS256'), await signingKey('ES256')] },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none',
    ...(settings.tls ? ['tls_client_auth', 'self_signed_tls_client_auth'] : [])],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: { enabled: true, defaultResource: () => undefined, getResourceServerInfo: resourceServer },
    mTLS: {
      enabled: Boolean(settings.tls),
      tlsClientAuth: Boolean(settings.tls),
      selfSignedTlsClientAuth: Boolean(settings.tls),
      getCertificate: (ctx) => peerCertificate(ctx)?.toString(),
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, _property, expected) => peerCertificate(ctx).subject === expected,
    },
  },
};

function howAuthenticated(ctx, body) {
  if (ctx.headers.authorization) return 'basic';
  if (body.client_assertion) return 'assertion';
  if (body.client_secret) return 'post';
  return ctx.socket.getPeerCertificate && peerCertificate(ctx) ? 'certificate' : 'none';
}

async function listen(asksForCertificate) {
  const server = settings.tls
    ? https.createServer({
      key: readFileSync(settings.tls.key),
      cert: readFileSync(settings.tls.certificate),
      ca: readFileSync(settings.tls.ca),
      requestCert: asksForCertificate,
      rejectUnauthorized: false, // a self-signed client certificate is judged by the issuer, not by the handshake
    })
    : http.createServer();
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return { server, url: `${settings.tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}` };
}

async function main() {
  const front = await listen(!settings.alias);
  const side = settings.alias ? await listen(true) : undefined;
  const issuer = front.url;
  const discovery = side ? { mtls_endpoint_aliases: { token_endpoint: `${side.url}/token` } } : {};
  const provider = new Provider(issuer, { ...configuration, discovery });
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path !== '/token') return;
    const body = ctx.oidc?.body ?? {};
    say({
      auth: howAuthenticated(ctx, body),
      client: ctx.oidc?.client?.clientId,
      status: ctx.status,
      error: ctx.body?.error,
      fields: Object.keys(body).sort(),
      assertion: body.client_assertion,
      certificate: createHash('sha256').update(peerCertificate(ctx)?.raw ?? '').digest('hex'),
    });
  });
  // The answer says only invalid_client; the reason helps whoever reads this log after a red test.
  provider.on('grant.error', (_ctx, error) => process.stdout.write(`${error.error_detail ?? error.message}\n`));
  for (const found of [front, side]) found?.server.on('request', provider.callback());
  say({ issuer });
}

await main();
