"""Runs inside ``odoo shell``: sizes of the till's bundle, whole and without each module.

Prints one line of JSON: {"all" or the module left out: [bytes, bytes after gzip]}.
"""

import gzip
import json

from odoo.addons.base.models.assetsbundle import AssetsBundle

BUNDLE = "point_of_sale.assets_prod"


def sizes(env, without):
    """Of the bundle without the files of one module."""
    params = env["ir.asset"]._get_asset_params()
    files, external = env["ir.qweb"]._get_asset_content(BUNDLE, params)
    kept = [file for file in files if not file["url"].startswith(f"/{without}/")]
    bundle = AssetsBundle(BUNDLE, kept, external, env=env, css=True, js=True, assets_params=params)
    parts = [
        ";\n".join(asset.minify() for asset in bundle.javascripts) + bundle.generate_xml_bundle(),
        bundle.preprocess_css(),
    ]
    contents = [part.encode() for part in parts]
    return [sum(map(len, contents)), sum(len(gzip.compress(part)) for part in contents)]


names = ("all", "viva_payments", "pos_viva_com")
print(json.dumps({name: sizes(env, name) for name in names}))  # noqa: F821 (given by odoo shell)
