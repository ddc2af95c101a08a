// A person in front of a real browser: Chromium without a window, and what to do on each page
// that a sign-in can show. Used by sign-in.mjs and screenshots.mjs.
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

// LIBRARIES is the folder that holds node_modules, CHROMIUM the program.
export async function openBrowser(libraries, chromium) {
  const require = createRequire(join(resolve(libraries), 'package.json'));
  const browser = await require('playwright-core').chromium.launch({
    executablePath: chromium,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
      '--disable-background-networking', '--disable-component-update',
    ],
  });
  return { browser, axe: require.resolve('axe-core/axe.min.js') };
}

// A window whose pages can reach this machine only: clients' own pages name pictures elsewhere.
export async function openPage(browser, options = {}) {
  const context = await browser.newContext(options);
  await context.route(
    (url) => !LOOPBACK.includes(url.hostname),
    (route) => route.abort(),
  );
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  return page;
}

// Answers every page until one needs no answer, and returns that one's kind:
//   client     the client's own page: it has got its answer
//   code       ours: a code to carry over
//   device     ours: the terminal has got its answer
//   problem    ours: something went wrong, and what to do
//   refused    a provider's: the request is not in order
// PLAN: origin (of our instance), client (origin of the client's own page, if any), provider
// (name on our page), account, answer (yes, deny: at the provider, cancel: at ours), and for the
// device flow code; `keyboard`: no pointer on our pages. `look` is called on each page before it is answered.
export async function walk(page, plan, look = async () => {}) {
  const seen = [];
  for (let turn = 0; turn < MOST_PAGES; turn += 1) {
    await page.waitForLoadState('load');
    const kind = await kindOf(page, plan);
    seen.push(kind);
    await look(kind, page);
    const answer = ANSWERS[kind];
    if (!answer) {
      return { kind, seen, text: await page.locator('body').innerText() };
    }
    const left = page.waitForEvent('framenavigated', (frame) => frame === page.mainFrame());
    // Its failure is told by what was awaited.
    left.catch(() => {});
    await answer(page, plan);
    await left;
  }
  throw new Error(`no end after ${seen.join(', ')}`);
}

async function kindOf(page, plan) {
  const url = new URL(page.url());
  const title = await page.title();
  const there = async (selector) => (await page.locator(selector).count()) > 0;
  if (title.startsWith('Stand-in of')) {
    return (await there('[role=alert]')) ? 'refused' : 'stand-in';
  }
  if (url.pathname.startsWith('/dex/')) {
    if (await there('#password')) return 'dex-password';
    return (await there('input[name=approval]')) ? 'dex-approval' : 'refused';
  }
  if (url.origin !== new URL(plan.origin).origin) return 'client';
  if (await there('input[type=email]')) return 'development';
  if (await there('input[name=user_code]:not([type=hidden])')) return 'device-code';
  if (await there('[name=answer]')) return 'confirm';
  if (await there('ul.ways') && !(await there('[role=alert]'))) return 'choose';
  if (await there('#code')) return 'code';
  return (await there('[role=alert]')) ? 'problem' : 'device';
}

const ANSWERS = {
  choose: (page, plan) => use(page, plan, page.getByRole('link', { name: plan.provider })),
  development: async (page, plan) => {
    await use(page, plan, page.getByLabel('Email address'), plan.account);
    await use(page, plan, page.getByRole('button', { name: 'Sign in' }));
  },
  'stand-in': (page, plan) => {
    const as = plan.answer === 'deny' ? 'Cancel' : plan.account;
    return page.getByRole('button', { name: as }).click();
  },
  'dex-password': async (page, plan) => {
    await page.locator('#login').fill(plan.account);
    await page.locator('#password').fill(plan.password);
    await page.locator('#submit-login').click();
  },
  'dex-approval': (page, plan) => {
    const as = plan.answer === 'deny' ? 'Cancel' : 'Grant Access';
    return page.getByRole('button', { name: as }).click();
  },
  confirm: (page, plan) => {
    const as = plan.answer === 'cancel' ? 'cancel' : 'continue';
    return use(page, plan, page.locator(`[name=answer][value=${as}]`));
  },
  'device-code': async (page, plan) => {
    await use(page, plan, page.locator('input[name=user_code]'), plan.code);
    await use(page, plan, page.locator('main button[type=submit]').first());
  },
};

// A control of ours: by the pointer, or reached and used by keys alone.
async function use(page, plan, control, text) {
  if (!plan.keyboard) {
    return text === undefined ? control.click() : control.fill(text);
  }
  const reached = () => control.evaluate((element) => element === document.activeElement);
  for (let turn = 0; !(await reached()); turn += 1) {
    if (turn === MOST_TABS) throw new Error(`keys do not reach ${control} on ${page.url()}`);
    await page.keyboard.press('Tab');
  }
  return text === undefined ? page.keyboard.press('Enter') : page.keyboard.type(text);
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];
const MOST_PAGES = 12;
const MOST_TABS = 30;
