// Pictures of every page of a sign-in, to be looked at:
//
//   node screenshots.mjs LIBRARIES CHROMIUM FOLDER ORIGIN PLANS
//
// PLANS is a JSON list of what walk.mjs takes, each with a name; `device` makes it a sign-in by
// code, `query` replaces members of the request. Each page becomes FOLDER/NAME-KIND-LOOK.png.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { openBrowser, openPage, walk } from './walk.mjs';

const [libraries, chromium, folder, origin, plansText] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

const LOOKS = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  'phone-light': { colorScheme: 'light', viewport: { width: 390, height: 844 } },
  'phone-dark': { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
};
// What sigstore-python asks for when no browser can reach it; the challenge is RFC 7636's.
const ASKED = {
  response_type: 'code',
  client_id: 'sigstore',
  scope: 'openid email',
  redirect_uri: 'urn:ietf:wg:oauth:2.0:oob',
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  code_challenge_method: 'S256',
  state: 'state',
};

const { browser } = await openBrowser(libraries, chromium);
for (const plan of JSON.parse(plansText)) {
  for (const [look, options] of Object.entries(LOOKS)) {
    const page = await openPage(browser, options);
    const picture = async (kind) => {
      if (/^(dex|stand-in|refused|client)/.test(kind)) return;
      const path = join(folder, `${plan.name}-${kind}-${look}.png`);
      await page.screenshot({ path, fullPage: true });
    };
    try {
      const { url, code } = await begin(plan);
      await page.goto(url);
      const { kind, seen } = await walk(page, { ...plan, origin, code }, picture);
      console.log(`${plan.name} ${look}: ${seen.join(' > ')}`);
      await picture(kind);
    } catch (error) {
      console.error(`${plan.name} ${look}: ${error.message}`);
      process.exitCode = 1;
    }
    await page.context().close();
  }
}
await browser.close();

async function begin(plan) {
  if (!plan.device) {
    const query = new URLSearchParams({ ...ASKED, ...plan.query });
    return { url: plan.url ?? `${origin}/oidc/auth?${query}` };
  }
  const { client_id, scope, code_challenge, code_challenge_method } = ASKED;
  const answer = await fetch(`${origin}/oidc/device_authorization`, {
    method: 'POST',
    body: new URLSearchParams({ client_id, scope, code_challenge, code_challenge_method }),
  });
  const { user_code, verification_uri } = await answer.json();
  return { url: verification_uri, code: plan.mistype ? 'BBBB-BBBB' : user_code };
}
