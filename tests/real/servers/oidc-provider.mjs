// Runs a real OpenID issuer on a free port of 127.0.0.1: npm oidc-provider, which the OpenID Foundation has certified.
//
//     node oidc-provider.mjs NODE_MODULES SETTINGS.json
//
// SETTINGS: {"clients": […RFC 7591 metadata…], "tls": {"key","certificate","ca"} paths, or no "tls", "alias": true|false,
// "device": {"interval": SECONDS, "life": SECONDS, "busy": [CLIENT ID…]}, or no "device"}.
// A resource indicator (RFC 8707) becomes the `aud` of a JWT access token (RFC 9068), which is signed with RS256, or with ES256 if
// the resource ends with "?es256". For a resource that begins with https://opaque., the token is opaque. With "tls", the issuer
// uses https and requests a client certificate in the handshake (RFC 8705); with "alias", only a second port does, which is
// announced as mtls_endpoint_aliases. With "device", users sign in by the device authorization grant (RFC 8628) on the development
// pages of the issuer, and tokens can be revoked (RFC 7009). This file adds what oidc-provider does not do itself: the interval is
// announced, and a client that polls too early gets slow_down, as does the first poll of a busy client.
// stdout: first {"issuer": …}, then one line for each request to the token, device authorization and revocation endpoints:
// how the client authenticated, and the outcome.

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

// The client certificate of the handshake, for RFC 8705. ctx.socket is the TLS socket itself, because there is no proxy.
function peerCertificate(ctx) {
  const raw = ctx.socket.getPeerCertificate?.().raw;
  return raw && new X509Certificate(raw);
}

const configuration = {
  clients: settings.clients,
  jwks: { keys: [await signingKey('RS256'), await signingKey('ES256')] },
  ...(settings.device && { ttl: { DeviceCode: settings.device.life } }),
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none',
    ...(settings.tls ? ['tls_client_auth', 'self_signed_tls_client_auth'] : [])],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: Boolean(settings.device) },
    deviceFlow: { enabled: Boolean(settings.device) },
    revocation: { enabled: Boolean(settings.device) },
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

// RFC 8628 section 3.5: the time of the last poll for each device code, and the pause until the next one, in milliseconds.
const polls = new Map();

function isTooSoon({ device_code: code, client_id: client }) {
  const { interval, busy } = settings.device;
  const poll = polls.get(code) ?? { last: 0, pause: interval * 1000, first: true };
  const soon = Date.now() - poll.last < poll.pause || (poll.first && busy.includes(client));
  polls.set(code, { last: Date.now(), pause: poll.pause + (soon ? 5000 : 0), first: false });
  return soon;
}

async function paceDevices(ctx, next) {
  await next();
  const body = ctx.oidc?.body ?? {};
  if (ctx.body?.device_code) ctx.body.interval = settings.device.interval;
  if (ctx.body?.error === 'authorization_pending' && isTooSoon(body)) ctx.body = { error: 'slow_down' };
}

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
      rejectUnauthorized: false, // the issuer, and not the handshake, verifies a self-signed client certificate
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
    if (!['/token', '/device/auth', '/token/revocation'].includes(ctx.path)) return;
    const body = ctx.oidc?.body ?? {};
    say({
      path: ctx.path,
      time: Date.now() / 1000,
      grant: body.grant_type,
      auth: howAuthenticated(ctx, body),
      client: ctx.oidc?.client?.clientId,
      status: ctx.status,
      error: ctx.body?.error,
      fields: Object.keys(body).sort(),
      assertion: body.client_assertion,
      device: ctx.body?.device_code,
      user: ctx.body?.user_code,
      certificate: createHash('sha256').update(peerCertificate(ctx)?.raw ?? '').digest('hex'),
    });
  });
  if (settings.device) provider.use(paceDevices);
  // The response contains only invalid_client. The reason in this log helps to find out why a test failed.
  provider.on('grant.error', (_ctx, error) => process.stdout.write(`${error.error_detail ?? error.message}\n`));
  for (const found of [front, side]) found?.server.on('request', provider.callback());
  say({ issuer });
}

await main();
