/** Quote assets of Binance Spot, longest first, so that a symbol can be told apart from its name. */
const QUOTES = ['FDUSD', 'USDT', 'USDC', 'BUSD', 'TUSD', 'USD1', 'BTC', 'ETH', 'BNB', 'EUR', 'TRY', 'BRL', 'JPY', 'GBP', 'AUD', 'DAI', 'USD'];

/** BTCUSDT → BTC, USDT. A name with no known quote is split in the middle. */
export function splitSymbol(symbol: string): { base: string; quote: string } {
  const quote = QUOTES.find((name) => symbol.endsWith(name) && symbol.length > name.length) ?? symbol.slice(Math.ceil(symbol.length / 2));
  return { base: symbol.slice(0, symbol.length - quote.length), quote };
}

/** Well-known assets with the order of their price in USDT; the simulated market opens near it. */
const PRICED = `BTC 68000, ETH 3400, SOL 165, BNB 580, XRP 0.62, DOGE 0.135, ADA 0.46, AVAX 34, LINK 14.5, LTC 82,
  DASH 29, JUP 0.95, DOT 6.8, UNI 9.4, NEAR 5.6, PEPE 0.0000118, SHIB 0.0000234, SUI 1.12, APT 8.7, ARB 0.98,
  TRX 0.118, TON 6.9, BCH 455, ATOM 8.1, FIL 5.7, ETC 27, XLM 0.108, HBAR 0.097, ICP 11.9, INJ 26, OP 2.3, AAVE 94,
  MKR 2700, RUNE 5.4, GRT 0.28, ALGO 0.18, VET 0.034, FTM 0.71, SAND 0.43, MANA 0.44, AXS 7.3, THETA 2.1, EOS 0.78,
  XTZ 0.93, FLOW 0.86, KAVA 0.67, CHZ 0.116, CRV 0.41, LDO 2.1, SNX 2.6, COMP 57, ZEC 24, NEO 14.2, IOTA 0.22, QTUM 3.5,
  BTCUP 32, BTCDOWN 0.0042, TIA 9.1, SEI 0.52, WIF 2.6, BONK 0.000027, FLOKI 0.00018, FET 1.9, ORDI 41`;
const NAMED = `IMX STX RENDER ENA W STRK PYTH JTO DYM ALT PIXEL MANTA AI XAI ACE NFP TNSR OMNI REZ BB NOT IO ZK LISTA ZRO G
  BANANA DOGS TURBO NEIRO CATI HMSTR EIGEN SCR LUMIA KAIA COW CETUS PNUT ACT USUAL THE ACX ORCA MOVE ME VELODROME VANA PENGU
  BIO COOKIE SOLV TRUMP ANIME BERA LAYER KAITO SHELL RED GPS NIL PARTI MUBARAK TUT BABY KERNEL WCT HYPER INIT SIGN STO SXT
  NXPC HAEDAL HUMA A SOPH RESOLV HOME SPK NEWT SAHARA LA ERA C PROVE TOWNS BOME ETHFI AEVO METIS VANRY AXL PORTAL RONIN SLERF
  ONT ZIL ZRX BAT XMR IOST CELR NANO OMG ENJ ONE GTO DUSK ANKR WIN COS MTL PERL DENT KEY DOCK WAN FUN CVC BAND BEAM XEM REN RVN NKN
  ARPA IOTX RLC CTXC TROY VITE OGN DREP WRX BTS LSK BNT LTO AION MBL COTI STPT WTC DATA CTSI HIVE CHR ARDR MDT STMX KNC LRC PNT
  SC ZEN VTHO DGB SXP DCR STORJ YFI BAL BLZ IRIS KMD JST ANT OCEAN NMR LUNA RSR PAXG WNXM TRB SUSHI KSM EGLD DIA FIO UMA BEL
  WING NBS OXT SUN FLM ORN UTK XVS ALPHA AUDIO CTK AKRO HARD STRAX UNFI ROSE AVA SKL JUV PSG 1INCH REEF OG ATM ASR CELO RIF TRU CKB
  TWT FIRO LIT SFP DODO CAKE ACM BADGER FIS OM POND DEGO ALICE LINA PERP SUPER CFX EPS TKO PUNDIX TLM BAR FORTH BAKE BURGER SLP AR
  POLS MDX MASK LPT NU XVG ATA GTC TORN KEEP ERN KLAY PHA BOND MLN DEXE C98 CLV QNT MINA RAY FARM ALPACA QUICK MBOX REQ GHST WAXP
  GNO XEC ELF DYDX POLY IDEX VIDT GALA ILV YGG SYS DF FIDA CVP AGLD RAD BETA RARE LAZIO CHESS ADX AUCTION DAR BNX MOVR CITY ENS
  PORTO POWR VGX JASMY AMP PLA PYR RNDR ALCX SANTOS MC BICO FXS VOXEL HIGH CVX PEOPLE OOKI SPELL JOE ACH GLMR LOKA SCRT API3 BTTC ACA
  XNO WOO ALPINE T ASTR GMT KDA APE BSW BIFI MULTI STEEM MOB NEXO REI LUNC LDOX EPX LEVER STG GMX POLYX OSMO HFT PHB HOOK MAGIC
  HIFI RPL PROS AGIX GNS SYN VIB SSV LQTY AMB GAS GLM PROM QKC UFT ID LOOM OAX RDNT WBTC EDU COMBO MAV PENDLE ARKM WLD CYBER`;

export interface Listing { base: string; quote: string; price: number | null }

/** The `count` listings of the simulated market, most traded first; `price` null where the seed decides. */
export function listings(count: number): Listing[] {
  const priced = PRICED.split(',').map((entry) => entry.trim().split(' ') as [string, string]);
  const all: Listing[] = priced.map(([base, price]) => ({ base, quote: 'USDT', price: Number(price) }));
  const seen = new Set(all.map((listing) => listing.base));
  for (const base of NAMED.trim().split(/\s+/)) {
    if (!seen.has(base)) all.push({ base, quote: 'USDT', price: null });
    seen.add(base);
  }
  const twins = all.filter((listing) => !/^BTC(UP|DOWN)$/.test(listing.base)).map(({ base, price }) => ({ base, quote: 'USDC', price }));
  return [...all, ...twins].slice(0, count);
}
