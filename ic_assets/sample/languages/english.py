"""The English names, subjects and sentences of a small firm that sells pumps and conveyors to other firms."""

from __future__ import annotations

from ic_assets.sample.languages.language import Language

# Word lists stay as they are typed: one word a line would be seven hundred lines.
# fmt: off
ENGLISH = Language(
    first_names=(
        "Alice", "Benjamin", "Chloé", "Daniel", "Eleanor", "Fergus", "Grace", "Harold", "Imogen", "James",
        "Kezia", "Liam", "Maeve", "Nathan", "Olivia", "Priya", "Quentin", "Rosalind", "Siobhán", "Tobias",
        "Una", "Victor", "Winifred", "Zoë",
    ),
    last_names=(
        "Abernathy", "Blackwood", "Carmichael", "D'Arcy", "Ellsworth", "Fairweather", "Grimshaw", "Hartnell",
        "Ingram", "Jessop", "Kirkbride", "Lockwood", "MacAllister", "Nightingale", "O'Donoghue", "Pemberton",
        "Quigley", "Ravenscroft", "St. John", "Thistlewood", "Underhill", "Whitlock", "Yardley",
    ),
    trades=(
        "Conveyors", "Foods", "Water Works", "Packaging", "Paper Mill", "Breweries", "Aggregates", "Dairies",
    ),
    legal_forms=("Ltd", "Inc.", "LLC", "& Sons", "plc", "Group, Inc."),
    cities=("Sheffield", "Cleveland", "Dayton", "Cork", "Leeds", "Toledo", "Hull", "Duluth"),
    products=(
        "belt conveyor BC-40", "screw pump SP-12", "dosing unit D2", "bucket elevator", "gear motor",
        "slurry pump", "vibrating feeder", "roller set", "control cabinet", "12\" gate valve",
    ),
    greeting="Hi {person},",
    closing="Kind regards",
    subjects={
        "call": (
            "Follow-up call on quote {no}", "Question about {product}", "Price enquiry: {product}",
            "Callback, delivery in week {week}", "Maintenance contract", "Intro call",
            "Spare parts for {product}",
        ),
        "email": (
            "Your quote {no}", "RE: {product}, lead time", "FW: Drawing for {product}",
            "Order confirmation {no}",
            "Revised offer for {qty} × {product}", "Invoice {no}", "RE: RE: Site access, week {week}",
        ),
        "meeting": (
            "Site survey, {city}", "Product demo: {product}", "Quarterly review", "Kick-off {product}",
            "Factory acceptance test", "Contract negotiation, lot {no}",
        ),
        "note": (
            "Background", "Competitor on site", "Budget {week}/26", "Payment terms", "Change of contact",
            "Plant data",
        ),
        "task": (
            "Send quote for {product}", "Chase order {no}", "Prepare demo in {city}",
            "Check stock: {product}",
            "Update forecast", "Book service visit, week {week}",
        ),
        "message": ("Running late", "Delivery update", "Quick question", "Photo of the nameplate"),
        "letter": (
            "Signed contract {no}", "Brochure and price list", "Payment reminder {no}", "Season's greetings",
        ),
        "case": (
            "Leak at {product}", "Noise from {product}", "Warranty claim {no}", "Missing parts, order {no}",
        ),
    },
    sentences={
        "call": (
            "Spoke to {person} about the {product}; they want {qty} units by week {week}.",
            "Asked for 5% off the list price, I offered 3% and free delivery to {city}.",
            "No decision before the board meets in {days} days.",
            "Voicemail left, will try again tomorrow.",
            "{person} confirmed that quote {no} is the one in front of purchasing.",
            "Wants the {product} in stainless steel, asked what that does to the lead time.",
            "Line was poor, said \"call me after the shutdown\" and hung up.",
            "Not happy with the last delivery: two pallets short, driver arrived without papers.",
        ),
        "email": (
            "Please find attached our offer {no} for {qty} × {product}.",
            "The lead time is {days} working days from receipt of order.",
            "Could you send us the drawing with the flange dimensions?",
            "As discussed, the price per unit is {price} EUR, ex works.",
            "We can hold this price until the end of week {week}.",
            "{person} in accounts would like the invoice split by cost centre.",
            "Thanks for the tour of the plant; the crusher line was impressive.",
            "We need the certificate of origin before the goods can leave {city}.",
        ),
        "meeting": (
            "Walked the line with {person}; belt 3 is worn and the motor runs hot.",
            "Agreed: we quote the {product} with and without installation.",
            "Next step is a trial of {days} days with a loan unit.",
            "Present: {person}, the plant manager, and two people from maintenance.",
            "They compare us with two others, price counts for half, service for the rest.",
            "Budget is {price} EUR including commissioning.",
            "Open point: crane access through gate 2, height only 3.8 m.",
        ),
        "note": (
            "Buys through a framework contract that ends in week {week}.",
            "Runs {qty} of the older {product}, all due for replacement within two years.",
            "Payment terms 60 days, always pays on the last one.",
            "{person} is retiring; the successor starts in {days} days.",
            "Do not call on Fridays, the plant is down for cleaning.",
            "Competitor offered the same pump at {price} EUR, but without service.",
            "Credit limit raised after the last order, see {no}.",
        ),
        "task": (
            "Work out the price for {qty} × {product}, with freight to {city}.",
            "Ask the workshop whether week {week} is still possible.",
            "Remind {person} of the signed order confirmation {no}.",
            "Get the data sheet translated before the visit.",
            "Add the spare parts kit to the offer, 10% margin is enough.",
            "Check with finance: invoice {no} is {days} days overdue.",
        ),
        "message": (
            "Stuck in traffic near {city}, there in 20 min.",
            "Truck is loaded, tracking to follow.",
            "Did you get the quote for the {product}?",
            "Thanks! Will look at it tonight.",
            "Can you send a photo of the nameplate?",
            "Connected after the fair, happy to talk about {product}.",
        ),
        "letter": (
            "Contract {no} sent back, both copies signed.",
            "Catalogue and price list posted to {person}.",
            "Second payment reminder for invoice {no}, {price} EUR.",
            "Christmas card with calendar.",
        ),
        "case": (
            "The {product} leaks at the shaft seal after {days} days of use.",
            "Customer reports noise above 85 dB, bearings replaced, noise is back.",
            "Order {no} arrived without bolts; parts sent by courier.",
            "Line stands still, they lose {price} EUR a day.",
            "Service visit planned for week {week}, {person} gives access.",
        ),
    },
    asides=(
        "Call again in {days} days.", "Copy to {person}.", "See quote {no}.",
        "They insist on the 2-year warranty.",
        "Freight is extra.", "Likely to close this quarter.", "Internal: margin is thin, < 12 % & falling.",
        "Waiting for their purchase order.", "They asked twice about spare parts.", "All fine otherwise.",
    ),
)
