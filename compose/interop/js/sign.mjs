// Signs with the libraries of sigstore-js, whose own command line takes no signing config:
//
//   node sign.mjs LIBRARIES SIGNING_CONFIG TOKEN_FILE BUNDLE message|statement FILE
//
// LIBRARIES is the folder that holds node_modules. `message` signs the bytes of FILE;
// `statement` puts FILE, a complete in-toto statement, into a DSSE envelope.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [libraries, signingConfigFile, tokenFile, bundleFile, form, file] = process.argv.slice(2);
const require = createRequire(join(resolve(libraries), 'package.json'));
const { bundleToJSON } = require('@sigstore/bundle');
const { SigningConfig } = require('@sigstore/protobuf-specs');
const { bundleBuilderFromSigningConfig } = require('@sigstore/sign');

const FORMS = {
  message: { bundleType: 'messageSignature', type: undefined },
  statement: { bundleType: 'dsseEnvelope', type: 'application/vnd.in-toto+json' },
};
const { bundleType, type } = FORMS[form];

const token = readFileSync(tokenFile, 'utf8').trim();
const builder = bundleBuilderFromSigningConfig({
  signingConfig: SigningConfig.fromJSON(JSON.parse(readFileSync(signingConfigFile, 'utf8'))),
  identityProvider: { getToken: async () => token },
  bundleType,
});
const bundle = await builder.create({ data: readFileSync(file), type });
writeFileSync(bundleFile, JSON.stringify(bundleToJSON(bundle)));
